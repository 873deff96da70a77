# rm -rf, and what comes back under the same name.
cd /srv/t/rm
rm merged/one && ls merged && cat merged/one 2>&1 || true
rm -rf merged && ls && mkdir merged && ls -A merged && echo "empty again"
echo new >merged/one && rm -rf merged && mkdir -p merged/sub && ls -R merged
rm -rf only1 && mkdir only1 && touch only1/file && cat only1/file
rmdir only1 2>&1 || true
rm only1/file && rmdir only1
rm -rf only1 only2 only3 replaced2 replaced3
ln -s types only1 && ls only1
mkdir only2 && mv types only2 && ls only2/types
rm hard/first && cat hard/second && rm hard/second && cat hard/else/third
# Unlinked while open: still there for who has it.
exec 5<back/file
rm back/file && cat <&5
exec 5<&-
rmdir back && touch back && rm back && mkdir back && rmdir back
rm -r modes attributes empty filethendir dirthenfile dirthenlink filethenlink
rm -rf nosuch
rm nosuch 2>&1 || true
rmdir /srv/t/rm 2>&1 || true
find . | sort
cd /srv/t && rm -rf rmmore && mkdir rmmore && ls -A rmmore && for i in 1 2 3; do mkdir -p rmmore/$i/x && touch rmmore/$i/x/y; done
rm -rf rmmore/2 && mkdir rmmore/2 && find rmmore | sort
rm -rf /usr/share/doc/* && mkdir /usr/share/doc/bash && ls /usr/share/doc
rm -rf /usr/share/zoneinfo && ls -d /usr/share/zoneinfo 2>&1 || true
# Many names, made and removed while others are listed.
mkdir /root/many && cd /root/many
seq 1 3000 | xargs touch && ls | wc -l
seq 1 2 3000 | xargs rm && ls | wc -l
find . -name '*5' -delete && ls | sort -n | sha256sum
rm -rf /root/many
