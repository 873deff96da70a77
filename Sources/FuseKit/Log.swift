internal import CShims
internal import LinuxSys

/// Lines on standard error, for what no caller can be told. Never on a request's way when all is well.
enum Log {
    static func error(_ text: String) {
        let bytes = Array("unionfsd: fuse: \(text)\n".utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe cs_write(2, $0.baseAddress, $0.count) }
    }
    static func error(_ text: String, _ cause: Errno) { error("\(text): \(cause.text)") }
}
