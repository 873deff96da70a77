# mv of files: lower, upper and merged names, over each other, across directories and layers.
cd /srv/t/mvfile
mv merged/one merged/renamed
mv merged/renamed only1/a/b/moved
mv merged/two merged/three
mv -f only1/file only2/x/y/file
mv -n merged/four merged/new3
mv -b merged/four merged/new3
echo fresh >merged/one
mv merged/one merged/sub/low
mv types/fifo types/socket types/null types/loop types/dangling empty/
mv hard/first hard/else/third 2>&1 || true
mv hard/second hard/renamed
mv modes/4755 modes/6755
mv only3/p/q/file gone2
mv gone2 gone3
mv attributes/user attributes/renamed && getfattr -d attributes/renamed
mv merged/sub only1/nosuch/x 2>&1 || echo "no such directory"
mv dirthenfile only1 && mv only1/dirthenfile ./again
mv filethenlink only2/ && readlink only2/filethenlink
# A swap through a third name.
mv back/file tmp && mv replaced2/again back/file && mv tmp replaced2/again
cat back/file replaced2/again merged/three
find . -printf '%y %m %n %p -> %l\n' | sed 's/^\(d [0-7]*\) [0-9]*/\1/' | sort
