internal import CShims

/// A plain thread with every signal blocked; main takes the signals.
public struct Thread: ~Copyable {
    private let handle: UInt64

    /// `body` runs once. Its captures are kept until it returns.
    public init(stack: Int = 512 << 10, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        let box = unsafe Unmanaged.passRetained(Box(body))
        var handle: UInt64 = 0
        let result = unsafe cs_thread_start(
            { context in
                guard let context = unsafe context else { return }
                unsafe Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body()
            }, box.toOpaque(), stack, &handle)
        if result < 0 {
            unsafe box.release()
            throw Errno(Int32(-result))
        }
        self.handle = handle
    }
    public consuming func join() {
        holds(-Int32(truncatingIfNeeded: cs_thread_join(handle)), "a thread cannot be waited for")
    }
    /// Nobody waits for its end.
    public consuming func detach() {
        holds(-Int32(truncatingIfNeeded: cs_thread_detach(handle)), "a thread cannot be left alone")
    }

    private final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
