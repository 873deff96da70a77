# mv of directories: of one layer, merged from several, over an empty one, nested, and back again.
cd /srv/t/mvdir
mv only1 one
mv merged two
mv two/sub one/a/sub
mv one/a/b two/b
ls two two/b two/b/c one one/a/sub
echo changed >>two/b/c/file
echo new >two/b/c/new
rm two/new3
mkdir merged && echo "a new one in its place" >merged/file && ls merged
mv two/b/c one/c
mv one merged/one
mv -T replaced2 empty
mv -T merged/one/a replaced3 2>&1 || echo "not over a full one"
mv merged/one merged/one/a/inside 2>&1 || echo "not into itself"
mv only3 only2/x && mv only2 only3 && ls only3/x/only3/p/q
mv back somewhere && mkdir back && ls back
mv somewhere/file back/
rm -rf two/b && mkdir two/b && ls two/b
mv two/b two/bb && mv two/bb two/b
# A name that was moved away and back is what it was.
mv hard harder && mv harder hard
mv types/.. x 2>&1 || echo "not a parent"
find . -printf '%y %m %p\n' | sort
find . -type f -exec cat {} + | wc -c
cd /srv/t/mvbig
# All of an area at once, and up and down in depth.
mkdir -p down/down && for d in merged only1 only2 only3 replaced2 replaced3 back types hard; do mv $d down/down/; done
mv down up && find up | sort
mv up/down . && rmdir up && mv down/merged .
find . -type f | sort | xargs cat | sha256sum
mv /usr/share/perl /usr/share/perl-moved && mv /usr/share/perl-moved /usr/share/perl && perl -e 'print "perl works\n"'
