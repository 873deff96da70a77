# sed -i: a new file renamed over a lower one.
cd /srv/t/sed
sed -i 's/layer/LAYER/' merged/one merged/two only1/file
sed -i.bak '2d;5,$d' merged/four
head -n 3 merged/one merged/four merged/four.bak
sed -i --follow-symlinks 's/line/LINE/' types/relative
sed -i 's/line/links are replaced/' filethenlink
stat -c '%F %A %U %n' merged/* types/relative filethenlink
find /usr/share/doc -name copyright -type f -exec sed -i 's/Copyright/COPYRIGHT/g' {} +
find /usr/share/doc -name copyright -type f -print0 | sort -z | xargs -0 cat | sha256sum
sed -i 's/^root:/root:/' /etc/passwd
grep -rl COPYRIGHT /usr/share/doc | sort | wc -l
# With a hard link, only the one name gets the new content.
sed -i 's/linked/unlinked/' hard/first
cat hard/first hard/second hard/else/third
