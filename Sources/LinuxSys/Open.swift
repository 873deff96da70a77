internal import CShims
internal import Glibc

extension FD {
    /// openat(2), always with O_CLOEXEC. One component and O_NOFOLLOW cannot leave the directory; for paths see
    /// `openBeneath`.
    public func open(_ name: NameRef, _ flags: Int32, mode: UInt32 = 0) throws(Errno) -> OwnedFD {
        OwnedFD(adopting: Int32(try checkedAsOwner { unsafe cs_openat(raw, name.base, flags, mode) }))
    }

    /// A path below this directory, with no symlink followed and no way out (openat2(2): RESOLVE_BENEATH, NO_SYMLINKS,
    /// NO_MAGICLINKS). EXDEV or ELOOP for a path that tries.
    public func openBeneath(_ path: NameRef, _ flags: Int32, mode: UInt32 = 0) throws(Errno) -> OwnedFD {
        let resolve = UInt64(CS_RESOLVE_BENEATH | CS_RESOLVE_NO_SYMLINKS | CS_RESOLVE_NO_MAGICLINKS)
        return OwnedFD(
            adopting: Int32(
                try checkedAsOwner {
                    unsafe cs_openat2(raw, path.base, UInt64(UInt32(bitPattern: flags)), UInt64(mode), resolve)
                }))
    }

    /// What has one name in this directory, and nothing that is mounted over it (RESOLVE_NO_XDEV): EXDEV then, and what
    /// is mounted is not asked for anything.
    public func openUncrossed(_ name: NameRef, _ flags: Int32) throws(Errno) -> OwnedFD {
        let resolve = UInt64(CS_RESOLVE_NO_XDEV | CS_RESOLVE_NO_MAGICLINKS)
        return OwnedFD(
            adopting: Int32(
                try checkedAsOwner {
                    unsafe cs_openat2(raw, name.base, UInt64(UInt32(bitPattern: flags | O_NOFOLLOW)), 0, resolve)
                }))
    }
    /// A path below this directory by way of symlinks too, as long as none leads out (RESOLVE_BENEATH, NO_MAGICLINKS):
    /// EXDEV for one that does.
    public func openInside(_ path: NameRef, _ flags: Int32) throws(Errno) -> OwnedFD {
        let resolve = UInt64(CS_RESOLVE_BENEATH | CS_RESOLVE_NO_MAGICLINKS)
        return OwnedFD(
            adopting: Int32(
                try checkedAsOwner { unsafe cs_openat2(raw, path.base, UInt64(UInt32(bitPattern: flags)), 0, resolve) })
        )
    }

    /// A path as a process sees it whose root this directory is (RESOLVE_IN_ROOT): symlinks, absolute ones too, and
    /// `..` stay inside.
    public func openInRoot(_ path: NameRef, _ flags: Int32) throws(Errno) -> OwnedFD {
        let resolve = UInt64(CS_RESOLVE_IN_ROOT | CS_RESOLVE_NO_MAGICLINKS)
        return OwnedFD(
            adopting: Int32(
                try checkedAsOwner { unsafe cs_openat2(raw, path.base, UInt64(UInt32(bitPattern: flags)), 0, resolve) })
        )
    }

    /// A directory by one name, for use with the `…at` calls and for reading it.
    public func openDirectory(_ name: NameRef) throws(Errno) -> OwnedFD {
        try openQuietly(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK)
    }
    /// Without touching the access time, where we may (O_NOATIME is for owners and CAP_FOWNER).
    public func openQuietly(_ name: NameRef, _ flags: Int32) throws(Errno) -> OwnedFD {
        do throws(Errno) {
            return try open(name, flags | OpenFlags.noAccessTime)
        } catch {
            guard error == .notPermitted else { throw error }
            return try open(name, flags)
        }
    }
    /// A handle on whatever has the name, without opening it: no driver, no FIFO, no permission on the object needed.
    public func openPath(_ name: NameRef) throws(Errno) -> OwnedFD {
        try open(name, OpenFlags.path | O_NOFOLLOW)
    }
    /// A new open file of what this descriptor stands for (O_PATH ones too, and unlinked files), through /proc/self/fd.
    public func reopen(_ flags: Int32) throws(Errno) -> OwnedFD {
        OwnedFD(adopting: Int32(try checkedAsOwner { cs_reopen(raw, flags) }))
    }

    /// The same without touching the access time, where we may.
    public func reopenQuietly(_ flags: Int32) throws(Errno) -> OwnedFD {
        do throws(Errno) { return try reopen(flags | OpenFlags.noAccessTime) } catch {
            guard error == .notPermitted else { throw error }
            return try reopen(flags)
        }
    }
}
