# Everything once more after all that: listings, and an archive of what the steps left. What is new bears the time
# of its run, so without times.
. /dev/show/listing
cd /
listing --time-style=+ --ignore=proc --ignore=dev
find . -xdev \( -path ./proc -o -path ./dev \) -prune -o -printf '%y %m %U:%G %p -> %l\n' | sort
tar --sort=name --mtime=@0 --one-file-system --exclude=./proc --exclude=./dev -cf - . 2>/dev/shm/errors | sha256sum
sort /dev/shm/errors
find /usr /etc /srv /root -xdev -links 1 ! -type d -printf '%D:%i\n' | sort | uniq -d | wc -l
