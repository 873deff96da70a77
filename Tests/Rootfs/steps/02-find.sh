# find, with all that -printf knows and that two filesystems can have in common.
cd /
find . -xdev \( -path ./proc -o -path ./dev \) -prune -o ! -type d -printf '%y %m %U:%G %s %n %T+ %p -> %l\n' \
    -o -printf '%y %m %U:%G %T+ %p\n' | sort
find /srv/t -type f -perm /6000 | sort
find /srv/t -empty | sort
find /srv/t -xtype l | sort
find /srv/t -samefile /srv/t/find/hard/first | sort
find /srv/t/find -newermt 2005-01-01 ! -newermt 2010-01-01 | sort
find /srv/t -name 'gone*' -o -name 'new?' | sort
# Inode numbers: one per file.
find /usr /etc /srv -xdev -links 1 ! -type d -printf '%D:%i\n' | sort | uniq -d | wc -l
find /srv/t/find -depth -type d | sort
