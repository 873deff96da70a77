# apt-get install, with maintainer scripts that make a group and alternatives, and a trigger of the C library.
clock() { # takes what depends on the time of day out of the logs and caches
    find /var/log -name '*.log' -type f -exec sed -i 's/[0-9]\{4\}-[0-9][0-9]-[0-9][0-9]  *[0-9:]\{8\}/DATE/' {} +
    rm -f /var/cache/ldconfig/aux-cache /var/log/apt/eipp.log.xz
}
apt-get install -y --no-install-recommends --no-download -o Dpkg::Use-Pty=0 cron less file
stat -c '%a %U %G %n' /usr/bin/crontab /var/spool/cron/crontabs
getent group crontab
readlink -f /usr/bin/pager
file -b /bin/sh | cut -d, -f1
ldconfig -p | grep magic
echo 'five words through a pager' | less
clock
apt-get purge -y -o Dpkg::Use-Pty=0 less
apt-get install -y --reinstall --no-download -o Dpkg::Use-Pty=0 cron
apt-get check
dpkg --audit
# Every file of every package against its checksum: what earlier steps changed is listed, and nothing else.
dpkg --verify | sort || true
clock
