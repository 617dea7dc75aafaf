/* Makes system calls fail as on other disks and kernels, with the errno in an environment
   variable: FAIL_LINK=95, for example. Loaded by LD_PRELOAD.

   With SIGNAL=9, SIGNAL_AT=7 and SIGNAL_IN=store.zarr a process sends signal 9 to its process
   group before its seventh change to a path that contains store.zarr. So the moment of the
   signal does not depend on time. SIGKILL is sent in the middle of a write. Writes to pipes
   are changes of "pipe:". The signal is sent only once, by the process that creates the file
   SIGNAL_ONCE. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fails(const char *name)
{
    const char *number = getenv(name);
    if (number)
        errno = atoi(number);
    return number != NULL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_moment(const char *path)
{
    static int n_changes = 0;
    const char *within = getenv("SIGNAL_IN");
    if (!within || !strstr(path, within))
        return 0;
    if (__atomic_add_fetch(&n_changes, 1, __ATOMIC_SEQ_CST) != atoi(getenv("SIGNAL_AT")))
        return 0;
    return open(getenv("SIGNAL_ONCE"), O_CREAT | O_EXCL, 0600) >= 0;
}

static void change(const char *path)
{
    if (is_moment(path))
        kill(0, atoi(getenv("SIGNAL")));
}

static const char *path_in(int folder, const char *name, char *path)
{
    char link[64], found[PATH_MAX] = "";
    if (folder == AT_FDCWD || *name == '/')
        return name;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    if (readlink(link, found, sizeof found - 1) < 0)
        return name;
    snprintf(path, 2 * PATH_MAX, "%s/%s", found, name);
    return path;
}

int mkdir(const char *path, mode_t mode)
{
    change(path);
    return REAL(mkdir)(path, mode);
}

int rmdir(const char *path)
{
    change(path);
    return REAL(rmdir)(path);
}

int unlink(const char *path)
{
    change(path);
    return REAL(unlink)(path);
}

int unlinkat(int folder, const char *name, int flags)
{
    char path[2 * PATH_MAX];
    change(path_in(folder, name, path));
    return REAL(unlinkat)(folder, name, flags);
}

int rename(const char *old, const char *new)
{
    change(new);
    return REAL(rename)(old, new);
}

ssize_t write(int file, const void *bytes, size_t n)
{
    char path[2 * PATH_MAX];
    if (getenv("SIGNAL_IN") && is_moment(path_in(file, "", path))) {
        int number = atoi(getenv("SIGNAL"));
        if (number == SIGKILL)
            REAL(write)(file, bytes, n / 2);
        kill(0, number);
    }
    return REAL(write)(file, bytes, n);
}

int flock(int file, int operation)
{
    return fails("FAIL_FLOCK") ? -1 : REAL(flock)(file, operation);
}

int link(const char *old, const char *new)
{
    change(new);
    return fails("FAIL_LINK") ? -1 : REAL(link)(old, new);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    change(new);
    return fails("FAIL_LINK") ? -1 : REAL(linkat)(from, old, to, new, flags);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned int flags)
{
    change(new);
    return fails("FAIL_RENAMEAT2") ? -1 : REAL(renameat2)(from, old, to, new, flags);
}

int madvise(void *start, size_t length, int advice)
{
    return fails("FAIL_MADVISE") ? -1 : REAL(madvise)(start, length, advice);
}

void *mmap(void *start, size_t length, int access, int flags, int file, off_t offset)
{
    if (file >= 0 && fails("FAIL_MMAP")) /* anonymous memory does not fail */
        return MAP_FAILED;
    return REAL(mmap)(start, length, access, flags, file, offset);
}

void *mmap64(void *start, size_t length, int access, int flags, int file, off64_t offset)
{
    if (file >= 0 && fails("FAIL_MMAP"))
        return MAP_FAILED;
    return REAL(mmap64)(start, length, access, flags, file, offset);
}
