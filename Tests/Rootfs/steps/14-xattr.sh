# Extended attributes, ACLs, capabilities.
cd /srv/t/xattr
attributes() { find . | sort | xargs getfattr -h -d -m -; }
attributes
setfattr -n user.new -v added merged/one
setfattr -n trusted.mine -v root merged/one
setfattr -n user.colour -v red attributes/user
setfattr -x user.n5 attributes/many
setfattr -x user.none attributes/many 2>&1 || echo "no such attribute"
setfattr -n user.dir -v "of a merged directory" merged
setfattr -n user.link -v x types/dangling -h 2>&1 || echo "not on a symbolic link"
setfattr -n user.big -v "$(seq 1 500 | tr '\n' ,)" merged/two
getfattr -n user.nosuch merged/one 2>&1 || true
# The overlay's own attributes are nobody's business.
getfattr -R -h -d -m overlay . /etc | head -n 3
setfacl -m u:1001:rw merged/one
setfacl -m g:100:rx,m::rx only1
setfacl -x u:1000 attributes/acl
setfacl -b attributes/acl
echo inherits >attributes/inherit/file
mkdir attributes/inherit/sub && touch attributes/inherit/sub/file
setfacl -d -m g:100:rwx merged/sub && (umask 077; echo x >merged/sub/masked; mkdir merged/sub/maskeddir)
find . ! -type l | sort | xargs getfacl -n
# A capability goes with the content it was given for.
echo changed >>attributes/capability
attributes
