# cp -a out of, into and over lower directories.
. /dev/show/listing
cd /srv/t/cp
cp -a /srv/t/find copy
cp -a merged/. only1
cp merged/one merged/two
cp --remove-destination merged/four merged/three
cp -al only1 linked
cp -as /srv/t/cp/only2 symlinked
cp --reflink=auto only1/numbers reflinked
cp --sparse=always types/sparse sparse && cmp types/sparse sparse && [ $(stat -c %b sparse) -lt 4096 ] && echo "still sparse"
cp -r merged nosuch/x 2>&1 || echo "no such directory"
cp -u merged/one back/file
cp -a --parents only3/p/q/file back
cp -a types types2 && listing --time-style=+ types2
cp -a attributes attributes2 && find attributes2 | sort | xargs getfattr -d -m -
cp /bin/ls ls && ./ls merged
cp -a /usr/include /root/include && diff -r --no-dereference /usr/include /root/include && echo "no difference"
