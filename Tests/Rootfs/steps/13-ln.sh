# Hard links of lower files, symbolic ones, and link counts.
cd /srv/t/ln
ln merged/one merged/linked
ln merged/one only1/a/linked
stat -c '%h %n' merged/one merged/linked only1/a/linked
echo "written through one name" >>merged/linked
tail -n 1 merged/one only1/a/linked
# Names that were linked in a lower layer stay one file when one of them is written.
echo "more" >>hard/first
cat hard/second hard/else/third
chmod 640 hard/pair2
stat -c '%h %a %n' hard/*1 hard/*2 hard/first hard/second hard/else/third
rm hard/second
stat -c '%h %n' hard/first hard/else/third
ln hard/first hard/fourth && [ hard/fourth -ef hard/else/third ] && echo "one file"
ln -f merged/two merged/three && cat merged/three
ln -s ../only2/x/y/file types/new && cat types/new
ln -sfn merged dirlink && ls dirlink/sub
ln -sf types/empty filethenlink && readlink filethenlink
ln merged x 2>&1 || echo "not of a directory"
ln types/fifo types/fifo2 && ln types/dangling types/dangling2 && ln types/null types/null2
ln -L types/relative followed && stat -c '%F %h' followed
ln nosuch x 2>&1 || true
ln merged/one merged/four 2>&1 || true
find . -links +1 ! -type d -printf '%n %p\n' | sort
