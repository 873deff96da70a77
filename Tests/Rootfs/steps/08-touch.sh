# Times to the nanosecond, of every type of file.
cd /srv/t/touch
touch -d '1999-12-31 23:59:59.999999999 UTC' merged/one types/fifo types/socket types/null
touch -h -d '1980-01-01 00:00:00.5 UTC' types/dangling types/relative
touch -d '2038-01-19 03:14:08.000000001 UTC' merged/two
touch -d '1969-12-31 23:59:59 UTC' merged/four
touch -m -d '2020-02-02 02:02:02.222222222 UTC' only1/file
touch -a -d '2021-01-01 UTC' only1/numbers
touch -r merged/one only1/a
touch -d '2002-02-02 UTC' merged only1 hard/first replaced2
touch only2/x/y/new
touch -d '2003-03-03 UTC' only2/x/y
touch -c nosuch
stat -c '%y %n' merged/one merged/two merged/four types/* only1 only1/* merged hard/* replaced2 only2/x/y
stat -c '%x %n' only1/numbers
