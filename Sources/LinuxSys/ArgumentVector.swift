internal import Glibc

/// Words of a command line as execve(2) wants them, made beforehand, for who may not allocate then.
@safe
public final class ArgumentVector: @unchecked Sendable {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    public init(_ words: [FileName]) {
        count = words.count
        unsafe pointers = .allocate(capacity: count + 1)
        for (i, word) in words.enumerated() {
            unsafe (pointers + i).initialize(to: word.withRef { unsafe strdup($0.base) })
        }
        unsafe (pointers + count).initialize(to: nil)
    }
    deinit {
        for i in 0..<count { unsafe free(pointers[i]) }
        unsafe pointers.deallocate()
    }
}
