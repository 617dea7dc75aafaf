"""The U-Net, its kernels and devices, and published weights."""
