# chown -R, of links themselves, and what it does to set-uid.
. /dev/show/listing
cd /srv/t/chown
chown -R 1234:5678 merged only1 types
chown -h 4321 types/dangling types/absolute
chown 1234 types/relative
chown 1000:1000 modes/*
chgrp -R 100 replaced2 replaced3
chown --from=1234 42 merged/two
chown 7:7 hard/pair1
chown 1000 attributes/capability
getfattr -d -m - --absolute-names attributes/capability 2>&1
chown -R 33:33 /usr/share/perl5
listing -n --time-style=+ .
# As someone else: only what the mode allows.
cd /
for command in 'cat /srv/t/chown/merged/one' 'echo x >/srv/t/chown/merged/two' 'touch /srv/t/chown/new' \
    'chmod 777 /srv/t/chown/back' 'rm -f /srv/t/chown/modes/sticky/none'; do
    setpriv --reuid 1234 --regid 5678 --clear-groups sh -c "$command" 2>&1 | head -n 1 || true
done
