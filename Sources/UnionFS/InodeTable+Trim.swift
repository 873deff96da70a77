internal import LinuxSys

/// Memory that the kernel's forgetting left unused goes back to the system: page by page where other inodes live on,
/// all at once when none does. The records are in a file in memory, where pages without a live record can be given up
/// at any time: an index that is free needs no record (see `takeGenerationLocked`).
extension InodeTable {
    /// Unused records that are kept for those to come, and how many must have been freed before another part is looked
    /// at.
    private static let slack = 1 << 16, step = 4096
    /// Pages looked at in one go: some 0.2 ms with the mutex held.
    private static let pagesAtOnce: UInt32 = 256

    private var isEmptied: Bool {
        live == 1 && leaving.isEmpty && freeNodes.count + 2 == nextNode && nextNode > UInt32(Self.slack)
    }
    /// - Precondition: the mutex is held.
    var isTrimDue: Bool { isEmptied || freedSinceTrim >= Self.step && freeNodes.count > live + Self.slack }

    func trim() {
        let isReset = mutex.locked { () -> Bool in
            if isEmptied {
                resetLocked()
                return true
            }
            guard isTrimDue else { return false }
            freedSinceTrim = 0
            nodeTrim = trimLocked(
                nodeTrim, MemoryLayout<NodeRecord>.stride, nextNode, { nodes[$0].flags.contains(.inUse) },
                region.discardNodes)
            // More names fit on a page than nodes, and there are about as many.
            dentryTrim = trimLocked(
                dentryTrim, MemoryLayout<DentryRecord>.stride, nextDentry, { dentries[$0].node != 0 },
                region.discardDentries)
            return false
        }
        // Lists and hash tables were in the heap, and the listings of directories.
        if isReset { Process.releaseFreeMemory() }
    }

    /// From a page on; the page to go on with. Page 0 has the root and the record that stands for none.
    private func trimLocked(
        _ from: UInt32, _ size: Int, _ end: UInt32, _ isInUse: (UInt32) -> Bool, _ discard: (UInt32, UInt32) -> Void
    ) -> UInt32 {
        let pageSize = SharedMemory.pageSize
        let pages = UInt32(truncatingIfNeeded: Int(end) * size / pageSize)
        guard pages > 1 else { return 1 }
        let first = from < 1 || from >= pages ? 1 : from
        let last = min(first + Self.pagesAtOnce, pages)
        var start: UInt32?
        for page in first..<last {
            // Records may lie over a page's edge.
            let records = Int(page) * pageSize / size...(Int(page + 1) * pageSize - 1) / size
            let isUsed = records.contains { isInUse(UInt32(truncatingIfNeeded: $0)) }
            if isUsed, let begun = start {
                discard(begun, page - begun)
                start = nil
            } else if !isUsed, start == nil {
                start = page
            }
        }
        if let begun = start { discard(begun, last - begun) }
        return last
    }

    /// Nothing but the root is left, and no name.
    private func resetLocked() {
        nextNode = 2
        nextDentry = 1
        freeNodes = []
        freeDentries = []
        names = HashIndex()
        numbers = HashIndex()
        heap = region.heap
        (nodeTrim, dentryTrim, freedSinceTrim) = (1, 1, 0)
        region.discardAll()
    }
}
