internal import Glibc
internal import LinuxSys

/// A tree's archive, read while it is made: one thread packs into a pipe, and the caller has the other end.
enum Piped {
    static func archive(
        of tree: FD, _ content: LayerPacker.Content, _ body: (FD) throws(StoreError) -> Void
    ) throws(StoreError) {
        try archive({ (file) throws(StoreError) in try LayerPacker.pack(tree, content, .precise, to: file) }, body)
    }
    static func archive(
        _ pack: @escaping @Sendable (FD) throws(StoreError) -> Void, _ body: (FD) throws(StoreError) -> Void
    ) throws(StoreError) {
        let pipe = try told("a pipe") { () throws(Errno) in try Process.pipe() }
        // Who stops reading ends the packing with EPIPE.
        Process.ignoreSignal(SIGPIPE)
        let outcome = Outcome()
        let thread: Thread
        do throws(Errno) {
            thread = try Thread(stack: 8 << 20) {
                do throws(StoreError) { try pack(pipe.write) } catch { outcome.error = error }
                pipe.write.close()
            }
        } catch {
            pipe.read.close()
            pipe.write.close()
            throw StoreError(error, doing: "a thread")
        }
        var failure: StoreError?
        do throws(StoreError) { try body(pipe.read) } catch { failure = error }
        pipe.read.close()
        thread.join()
        // Which of the two was the cause: a reader that stops ends the packing with EPIPE, and packing that fails ends
        // the archive too early.
        if let error = outcome.error, failure == nil || !error.description.hasSuffix(Errno(EPIPE).text) { throw error }
        if let failure { throw failure }
    }
    /// Written by the thread, read when it has ended.
    private final class Outcome: @unchecked Sendable { var error: StoreError? }
}

extension ArchiveDecompressor {
    func pass(to output: ArchiveCompressor) throws(StoreError) {
        while let part = unsafe try next() { unsafe try output.add(part) }
    }
}
