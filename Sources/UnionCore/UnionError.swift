public import LinuxSys

/// What goes wrong before a mount serves: said to a person, with the cause.
public struct UnionError: Error, Sendable, CustomStringConvertible {
    public let errno: Errno
    public let message: String
    public init(_ errno: Errno, _ message: String) {
        self.errno = errno
        self.message = message
    }
    public var description: String { message }
}
