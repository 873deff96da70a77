# Names of any bytes, 255 of them, and paths beyond PATH_MAX.
cd /srv/t/names/odd
ls -A --quoting-style=escape
for f in * ./-rf ...; do [ -f "$f" ] && cat -- "$f"; done
echo more >>"new
line"
mv "$(printf 'latin-\351-bytes-\377\376')" "$(printf '\377')" && cat "$(printf '\377')"
long=$(printf '%0255d' 0 | tr 0 n)
echo longer >>"$long" && mv "$long" "$(printf '%0255d' 0 | tr 0 m)" && cat "$(printf '%0255d' 0 | tr 0 m)"
touch "${long}x" 2>&1 | sed 's/n\{200,\}/…/' || true
mv "$(printf '%0255d' 0 | tr 0 d)" "$(printf '%0255d' 0 | tr 0 e)"
rm -- -rf ... 'back\slash*?["'
touch -- '.wh' '..dots' 'trailing ' "$(printf 'tab\there')" '*' "$(printf 'e\314\201')" "$(printf '\303\251')"
ls -A --quoting-style=escape
# 30 levels of 200 bytes.
part=$(printf '%0200d' 0 | tr 0 p)
cd /srv/t/names && mkdir deep && cd deep
for n in $(seq 1 30); do mkdir "$part" && cd -P "$part" && echo "level $n" >file; done 2>&1
cat file && mv file moved && ln moved linked && chmod 600 moved && stat -c '%a %h' linked
cd /srv/t/names && find deep -type f | wc -l && mv deep deeper && find deeper -type f | wc -l
rm -rf deeper && ls -A --quoting-style=escape
