/* Answers calls of the system as other disks and kernels do: with the errno that a variable
   of the environment names, FAIL_LINK=95 for example. Loaded by LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

static int fails(const char *name)
{
    const char *number = getenv(name);
    if (number)
        errno = atoi(number);
    return number != NULL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int flock(int file, int operation)
{
    return fails("FAIL_FLOCK") ? -1 : REAL(flock)(file, operation);
}

int link(const char *old, const char *new)
{
    return fails("FAIL_LINK") ? -1 : REAL(link)(old, new);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    return fails("FAIL_LINK") ? -1 : REAL(linkat)(from, old, to, new, flags);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned int flags)
{
    return fails("FAIL_RENAMEAT2") ? -1 : REAL(renameat2)(from, old, to, new, flags);
}

int madvise(void *start, size_t length, int advice)
{
    return fails("FAIL_MADVISE") ? -1 : REAL(madvise)(start, length, advice);
}

void *mmap(void *start, size_t length, int access, int flags, int file, off_t offset)
{
    if (file >= 0 && fails("FAIL_MMAP")) /* memory without a file is not of a disk */
        return MAP_FAILED;
    return REAL(mmap)(start, length, access, flags, file, offset);
}

void *mmap64(void *start, size_t length, int access, int flags, int file, off64_t offset)
{
    if (file >= 0 && fails("FAIL_MMAP"))
        return MAP_FAILED;
    return REAL(mmap64)(start, length, access, flags, file, offset);
}
