# The shell itself: redirections, globbing, scripts, conditions.
cd /srv/t/sh
cat merged/one | head -n 2
echo "appended" >>merged/two
tail -n 1 merged/two
echo "overwritten" >merged/three
cat merged/three
echo merged/* */file .* only[12]/*
set -C
(echo no >merged/four) 2>/dev/null || echo "noclobber kept $(head -n 1 merged/four)"
set +C
# Open for reading before the copy-up, read again after it (`tail -f` lives on that).
exec 5<merged/one
head -c 5 <&5 >/dev/null
echo "the last line" >>merged/one
tail -n 1 <&5
exec 5<&-
exec 6<>back/file
printf 'BACK' >&6
exec 6>&-
cat back/file
umask 027
echo made >new && mkdir newdir && stat -c '%A %n' new newdir
umask 022
printf '#!/bin/sh\necho "script says $1"\n' >script
chmod +x script && ./script hello
[ merged/one -nt merged/four ] && echo newer
[ types/relative -ef merged/one ] && echo same
for f in merged filethendir dirthenfile dirthenlink filethenlink types/*; do
    [ -L $f ] && echo "$f link"
    [ -d $f ] && echo "$f directory"
    [ -f $f ] && echo "$f file"
    [ -p $f ] && echo "$f fifo"
    [ -S $f ] && echo "$f socket"
    [ -c $f ] && echo "$f character device"
    [ -b $f ] && echo "$f block device"
done
(cd only1/a/b/c && pwd && cd ../../.. && pwd && cd -P .. && pwd && cd -P types/absolute && pwd)
cat gone2/file gone3/file nosuch 2>&1 || true
# A fifo of a lower layer joins two processes. (Whether data in a pipe counts as a change of its name's file is where
# filesystems differ: give it a time.)
cat types/fifo & echo "through the fifo" >types/fifo
wait
touch -d '2011-11-11 UTC' types/fifo
cat >here <<END
here document with $(wc -l <merged/new3) line
END
cat here
