internal import Glibc

enum StandardOutput {
    /// What was printed is to be seen now, though it goes into a pipe.
    static func flush() { _ = fflush(nil) }
}
