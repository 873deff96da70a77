# What POSIX says and the kernel's overlayfs does not do; left out with UNION=kernel.
mkdir /root/beyond
cd /srv/t/rm/hard
exec 5<pair1 6<else/third
rm pair1 else/third
# The one has another name left, the other has none.
stat -L -c '%h links' /proc/self/fd/5 /proc/self/fd/6
cat <&6
cd /srv/t/find/merged
exec 5<one
echo "over it" >new && mv new one
stat -L -c '%h links, %s bytes' /proc/self/fd/5
head -n 1 <&5
