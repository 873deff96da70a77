# git: many small files, renames, links and locks.
export GIT_AUTHOR_DATE='2020-01-02T03:04:05Z' GIT_COMMITTER_DATE='2020-01-02T03:04:05Z'
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
git config --global init.defaultBranch main
git config --global pack.threads 1
git config --global gc.auto 0
mkdir /root/repo && cd /root/repo
git init
cp -a /usr/include/linux /usr/include/asm-generic .
git add . && git commit -q -m first && git log --stat --format=fuller | tail -n 3
# Over a directory that comes from the lower layers.
cd /srv/t/names && git init -q && git add merged only1 only2 && git commit -q -m lower && git status --short && cd /root/repo
for n in 1 2 3 4 5; do
    for f in linux/a*.h; do echo "/* change $n */" >>"$f"; done
    git mv "linux/usb" "linux/usb$n" && git commit -q -a -m "change $n" && git mv "linux/usb$n" linux/usb
    git commit -q -a -m "back $n"
done
git checkout -q -b side HEAD~4 && git rm -q -r asm-generic && git commit -q -m removed
git checkout -q main && git merge -q -m merged side
git stash list; echo dirt >>linux/audit.h && git stash -q && git stash pop -q && git checkout -q linux/audit.h
git status
git gc -q --prune=now
git fsck --full --strict
git count-objects -v | grep -v size
git log --oneline | head -n 3
git clone -q /root/repo /root/clone && git -C /root/clone log -1 --format=%H
git -C /root/clone diff --stat
# The index keeps inode numbers and times: write it without.
for r in /root/repo /root/clone /srv/t/names; do rm $r/.git/index && git -C $r read-tree HEAD; done
