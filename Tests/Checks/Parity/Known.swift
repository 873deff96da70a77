/// Differences from a native directory that are inherent in what is tested, each with its reason. Off unless asked
/// for by the name of their set (`--known overlay`): a union filesystem may do better, and then must go on doing so.
struct Known {
    struct Entry: Sendable {
        let set: String
        /// Beginning of the case's name as it is printed, `[lower]` included.
        let test: String
        /// Beginnings of the labels; the empty one is every label.
        let labels: [String]
        let reason: String
        /// What a plain directory says and what the mount says, where no other difference is known.
        let values: (native: String, mount: String)?

        init(
            _ set: String, _ test: String, _ labels: [String], _ reason: String,
            _ values: (native: String, mount: String)? = nil
        ) {
            (self.set, self.test, self.labels, self.reason, self.values) = (set, test, labels, reason, values)
        }
    }

    /// `overlay`: found with the kernel's overlayfs (6.18, upper and lower on ext4, index=on, redirect_dir=on,
    /// metacopy=off, xino=auto). `fuse`: what the kernel's FUSE client does by itself, or unionfsd as overlayfs. `oci`:
    /// names that begin with `.wh.` are markers, as in image layers.
    static let table: [Entry] = [
        Entry(
            "overlay", "rename-whiteout", [""],
            "RENAME_WHITEOUT is overlayfs' own means; on an overlay it is EINVAL (ovl_rename)"),
        Entry(
            "overlay", "mknod-whiteout", [""],
            "character device 0/0 is a whiteout (overlayfs.rst, whiteouts and opaque directories)"),
        Entry(
            "overlay", "xattr-overlay",
            [
                "getxattr(f, trusted.overlay.,", "setxattr(f, trusted.overlay.,", "removexattr(f, trusted.overlay.)",
                "getxattr(d, trusted.overlay.,", "setxattr(d, trusted.overlay.,", "removexattr(d, trusted.overlay.)",
                "listxattr(",
            ],
            "the bare prefix escapes to a name without an end"),
        Entry(
            "overlay", "read-write-times [lower]", ["times changed by open for writing"],
            "copy-up makes a new inode, and its ctime is now"),
        Entry("overlay", "link-into-new-directory [lower]", ["list(new)", "tree new/linked"], impure),
        Entry("overlay", "link-times [lower]", ["times changed by link of ."], parentChanges),
        Entry("overlay", "chmod-times [lower]", ["times changed by"], parentChanges),
        Entry("overlay", "chown-times [lower]", ["times changed by"], parentChanges),
        Entry("overlay", "utimens-effects [lower]", ["times changed by"], parentChanges),
        Entry("overlay", "xattr-effects [lower]", ["times changed by"], parentChanges),
        Entry("overlay", "fifo [lower]", ["tree p"], fifoTimes),
        Entry("overlay", "copy-up-each [lower]", ["tree write/fifo", "tree append/fifo"], fifoTimes),
        Entry(
            "overlay", "map-before-copy-up [lower]", ["mapping after write"], "overlayfs.rst, non-standard behavior, b)"
        ),
        Entry("overlay", "seek-holes [lower]", ["lseek("], holes),
        Entry("overlay", "copy-up-keeps [lower]", ["sparse stays sparse"], holes),
        Entry("overlay", "statx [lower]", ["btime stays"], "copy-up makes a new inode, and its btime is now"),
        Entry("overlay", "rmdir [lower]", ["fchmod of a removed directory"], unlinkedLower),
        Entry("overlay", "unlinked-reader [lower]", ["fstat(fd)", "fchmod("], unlinkedLower),
        Entry("overlay", "unlinked-reopen [lower]", [""], unlinkedLower),
        Entry("overlay", "unlinked-path-descriptor [lower]", ["fstat"], unlinkedLower),
        Entry("overlay", "unlinked-directory [lower]", ["fstat of directory"], unlinkedLower),
        Entry("overlay", "copy-up-opened-before [lower]", ["fstat(fd)", "fchmod("], unlinkedLower),
        Entry(
            "fuse", "read-write-times [lower]", ["times changed by open for writing"],
            "as overlayfs: a copy-up makes a new inode, and its ctime is now", ctimeAlone),
        Entry("fuse", "link-times [lower]", ["times changed by link of ."], parentChanges, ctimeAlone),
        Entry("fuse", "chmod-times [lower]", ["times changed by"], parentChanges, ctimeAlone),
        Entry("fuse", "chown-times [lower]", ["times changed by"], parentChanges, ctimeAlone),
        Entry("fuse", "utimens-effects [lower]", ["times changed by"], parentChanges, ctimeAlone),
        Entry("fuse", "xattr-effects [lower]", ["times changed by"], parentChanges, ctimeAlone),
        Entry(
            "fuse", "seek", ["lseek("],
            "FUSE allows offsets up to the largest, the layer's filesystem sets the limit later (fuse_fill_super)"),
        Entry(
            "fuse", "fallocate", ["collapse", "insert", "tree collapse", "tree insert"],
            "the kernel passes no such mode on (fuse_file_fallocate)"),
        Entry(
            "fuse", "map-write", [""],
            "the kernel's FUSE does not clear the rest of a mapped page when the file grows over it"),
        Entry("fuse", "fifo [lower]", ["tree p"], fifoTimes),
        Entry("fuse", "copy-up-each [lower]", ["tree write/fifo", "tree append/fifo"], fifoTimes),
        Entry(
            "fuse", "flags-immutable", ["access(f, 2)", "unlink(d)"],
            "the kernel's FUSE inode does not know that it is immutable: the layer says so, later"),
        Entry("fuse", "rename-whiteout", [""], "as overlayfs: EINVAL (ovl_rename)"),
        Entry("fuse", "mknod-whiteout", [""], "as overlayfs: character device 0/0 is a whiteout"),
        Entry(
            "fuse", "xattr-overlay",
            [
                "setxattr(f, user.fuseoverlayfs.", "getxattr(f, user.fuseoverlayfs.",
                "removexattr(f, user.fuseoverlayfs.",
                "setxattr(d, user.fuseoverlayfs.", "getxattr(d, user.fuseoverlayfs.",
                "removexattr(d, user.fuseoverlayfs.",
                "listxattr(",
            ],
            "private to layers that fuse-overlayfs wrote: hidden, and not the mount's to set"),
        Entry(
            "writeback", "truncate", ["times changed by truncate to same size"],
            "the kernel's FUSE client gives no new time then (fuse_do_setattr)"),
        Entry("writeback", "fallocate-holes", ["lseek("], unwritten),
        Entry("writeback", "sparse-huge", ["lseek("], unwritten),
        Entry("writeback", "seek-holes", ["lseek("], unwritten),
        Entry("writeback", "copy-up-keeps [lower]", ["sparse stays sparse"], unwritten),
        Entry(
            "writeback", "xattr-effects", ["times changed by setxattr of the same"],
            "the kernel's FUSE client sets the time by itself (fuse_update_ctime)"),
        Entry(
            "writeback", "flags", [""],
            "immutable and append-only are refused: what is held back could not be written any more"),
        Entry("oci", "name-oci", [""], "names of markers cannot be given to files"),
    ]

    private static let ctimeAlone = (native: "none", mount: "ctime")
    private static let parentChanges =
        "copy-up creates a name in the upper parent: its ctime changes, its mtime is put back"
    static let impure =
        "link into a listed impure directory does not renew its cache (ovl_dir_modified): d_ino is the real one"
    private static let fifoTimes = "data of a fifo pass through the overlay's inode, and no time reaches the real one"
    private static let holes = "copy-up looks for holes in steps of its chunks of 1 MiB (ovl_copy_up_file)"
    private static let unwritten =
        "what is held back has no place on the disk yet: all of a file is data (Writeback.swift)"
    private static let unlinkedLower =
        "an object removed while it was in a lower layer only cannot be copied up any more, nor lose its last link"

    let sets: [String]

    func reason(_ test: String, _ difference: Transcript.Difference) -> String? {
        Self.table.first { entry in
            sets.contains(entry.set) && test.hasPrefix(entry.test)
                && entry.labels.contains { difference.label.hasPrefix($0) }
                && entry.values.map { $0 == (difference.native, difference.mount) } ?? true
        }?.reason
    }
}
