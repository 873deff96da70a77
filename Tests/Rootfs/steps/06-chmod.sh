# chmod -R and single bits: attributes only, no data.
. /dev/show/listing
cd /srv/t/chmod
chmod -R u=rwX,g=rX,o= merged
chmod -R a+X,go-w /usr/share/doc
chmod 4711 modes/0644
chmod g+s only1 && mkdir only1/inherits && touch only1/inherits/file
chmod +t only2
chmod 0 types/empty types/fifo types/socket
chmod 600 hard/second
chmod 755 types/relative
chmod -R 700 replaced2 replaced3 back
chmod 444 merged/three && echo "root writes anyway" >>merged/three
listing --time-style=+ .
# Nothing of the content went.
cat merged/one only1/numbers | sha256sum
