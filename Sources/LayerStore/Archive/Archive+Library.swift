internal import CArchive
internal import Glibc
internal import LinuxSys

/// What every use of libarchive needs.
enum ArchiveLibrary {
    /// libarchive translates names into the locale's character set; this one has all bytes that UTF-8 has. Once, before
    /// the first archive.
    static let prepared: Bool = unsafe setlocale(LC_CTYPE, "C.UTF-8") != nil

    static func reason(_ archive: OpaquePointer) -> String {
        guard let text = unsafe archive_error_string(archive) else { return "unknown error" }
        return unsafe String(cString: text)
    }
}

/// What a callback of libarchive reached and could not throw.
final class CallbackFailure {
    private var error: StoreError?
    func note(_ error: StoreError) { self.error = self.error ?? error }
    func check() throws(StoreError) { if let error { throw error } }
}
