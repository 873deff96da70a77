# ls -lR of everything, times to the nanosecond.
. /dev/show/listing
cd /
listing --time-style=full-iso --ignore=proc --ignore=dev
# The number that readdir gives is the one that stat gives.
for d in /srv/t/*/merged /srv/t/*/types /usr/bin /etc; do
    cd "$d"
    ls -1iU | sort -k2 | awk '{ print $2, $1 }' >/dev/shm/a
    ls -1U | sort | while read -r name; do stat -c '%n %i' -- "$name"; done >/dev/shm/b
    cmp /dev/shm/a /dev/shm/b
done
