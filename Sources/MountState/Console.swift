public import LinuxSys

/// Lines for people on standard error: the terminal's, an engine's, or the mount's log.
public enum Console {
    public static func say(_ text: String) { write("unionfsd: \(harmless(text))\n", to: .standardError) }
    /// A name may hold anything, and a terminal does what it reads: control characters as `\u{1b}`.
    public static func harmless(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.reduce(into: "") { out, scalar in
            out += isControl(scalar) ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
    }
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 && scalar != "\n" && scalar != "\t" || (0x7f...0x9f).contains(scalar.value)
    }
    /// What fails to be written has nobody left to be told.
    public static func write(_ text: String, to file: FD) {
        do throws(Errno) { try file.writeAll(Array(text.utf8)) } catch {}
    }
}
