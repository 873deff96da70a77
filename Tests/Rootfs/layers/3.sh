# Layer 3: further changes over both, and packages for the test to install without a network.
. /dev/show/common.sh

# Small lists, and no caches of them, which hold inode numbers and times.
cat >/etc/apt/apt.conf.d/90image <<'END'
Acquire::GzipIndexes "true";
Acquire::Languages "none";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
END
apt-get update
apt-get install -y --no-install-recommends --download-only cron less file
rm -rf /var/cache/apt/*.bin /var/log/*.log /var/log/apt /var/lib/dpkg/*-old
rm -rf /usr/share/doc/git
mkdir /usr/share/doc/git
echo "removed from this image" >/usr/share/doc/git/README
rm -rf /usr/share/doc/gcc* /usr/share/bug
chmod 750 /usr/share/doc/perl
chmod u+s /usr/bin/tar

touch -d '1 second ago' /root/stamp
for area in $areas; do
    cd "/srv/t/$area"
    echo "new in layer 3" >merged/new3
    echo "four, replaced in layer 3" >merged/four
    rm merged/new2
    echo "three is back" >merged/three
    echo "sub of layer 3" >merged/sub/top
    chmod 750 merged/sub
    rm -rf gone3
    rm -rf replaced3 && mkdir -p replaced3/old && echo "layer 3" >replaced3/old/file
    rm -rf replaced2 && mkdir replaced2 && echo "again, layer 3" >replaced2/again
    mkdir -p back && echo "back, with nothing of layer 1" >back/file
    mkdir -p only3/p/q && echo "only 3" >only3/p/q/file
    rm -r filethendir && echo "a file again" >filethendir
    rm only2/numbers
    chmod 600 attributes/acl
    chown 1000:100 only1/a/file
done
dated /root/stamp '2010-11-12 13:14:15.555555555 UTC'
