public import LinuxSys

/// Lines for people on standard error: the terminal's, an engine's, or the mount's log.
public enum Console {
    public static func say(_ text: String) { write("unionfsd: \(text)\n", to: .standardError) }
    /// What fails to be written has nobody left to be told.
    public static func write(_ text: String, to file: FD) {
        do throws(Errno) { try file.writeAll(Array(text.utf8)) } catch {}
    }
}
