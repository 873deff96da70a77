# tar c | tar x, out of and into the union, and over what is there.
mkdir /root/tar
tar -C /usr -cf - share/doc share/perl5 include lib/gcc | tar -C /root/tar -xpf -
tar -C /srv/t/tar --xattrs --xattrs-include='*' --acls --sparse -cf - . | (mkdir /root/tar/t && tar -C /root/tar/t --xattrs --xattrs-include='*' --acls -xpf -) 2>&1 | sort
# An archive in fixed order is the same bytes: names, modes, owners, times, sizes, hard links, content.
tar --sort=name -C / -cf - usr/lib usr/bin etc bin sbin | sha256sum
tar --sort=name -C /srv/t -cf - tar find cp names 2>/dev/shm/errors | sha256sum
sort /dev/shm/errors
# Extracting over lower files replaces them.
tar -C /srv/t/tar -cf /root/t.tar merged only1
tar -C /srv/t/tar -xpf /root/t.tar
tar -C /srv/t/tar -xpf /root/t.tar --overwrite
tar -C /srv/t/tar -xpf /root/t.tar --recursive-unlink --unlink-first
tar -tvf /root/t.tar --full-time | sed '/^d/s/ 0 / /' | sort
tar -C /srv/t/tar -df /root/t.tar && echo "no difference"
rm /root/t.tar
