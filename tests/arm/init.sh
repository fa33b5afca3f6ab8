#!/bin/busybox sh
# The emulated machine's only program: takes a folder off the disk, runs its command, puts the
# folder back. The disk is one tar archive, before and after.
/bin/busybox mkdir -p /bin /sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /work
for module in /modules/*.ko; do insmod "$module"; done
cd /work
# INPUT_RECORDS is of the kernel's command line; tar itself would read the disk to its end
if dd if=/dev/vda bs=10240 count="$INPUT_RECORDS" | tar x; then
  export HOME=/root PATH=/usr/bin:/bin
  sh ./command.sh > output.txt 2>&1
  echo $? > exit-code.txt
  cat output.txt
  tar cf /dev/vda exit-code.txt output.txt $(cat results.txt)
  sync
fi
poweroff -f
