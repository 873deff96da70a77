public import LinuxSys

/// Why the store did not do something: one sentence for a person, and what kind of reason it is for programs.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    public enum Kind: String, Sendable {
        /// No image, container, volume or path of that name.
        case notFound
        /// Something is in the way: a name that is taken, a container that is started, an image that is used.
        case conflict
        /// What was given is not understood or not allowed.
        case invalid
        /// An archive that must not be unpacked.
        case hostile
        /// What is on the disk is not what it should be.
        case damaged
        /// The system said no.
        case system
    }
    public let kind: Kind
    public let description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
    /// `doing`: "the layer cannot be unpacked".
    public init(_ error: Errno, doing: String) {
        self.init(error == .noEntry ? .notFound : .system, "\(doing): \(error.text)")
    }
}

/// A system call whose failure is told as a sentence.
func told<R: ~Copyable>(_ doing: @autoclosure () -> String, _ body: () throws(Errno) -> R) throws(StoreError) -> R {
    do throws(Errno) { return try body() } catch { throw StoreError(error, doing: doing()) }
}
