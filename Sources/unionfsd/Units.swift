/// Numbers as people read them.
enum Units {
    static func bytes(_ n: UInt64) -> String {
        if n < 1024 { return "\(n) B" }
        var value = Double(n) / 1024
        for unit in ["KiB", "MiB", "GiB", "TiB"] {
            if value < 999.5 { return "\(significant(value)) \(unit)" }
            value /= 1024
        }
        return "\(significant(value)) PiB"
    }

    static func time(nanoseconds n: UInt64) -> String {
        if n == 0 { return "-" }
        var value = Double(n)
        for unit in ["ns", "µs", "ms"] {
            if value < 999.5 { return "\(unit == "ns" ? "\(n)" : significant(value)) \(unit)" }
            value /= 1000
        }
        return value < 600 ? "\(significant(value)) s" : age(seconds: Int64(value))
    }

    static func age(seconds: Int64) -> String {
        let s = max(seconds, 0)
        if s < 60 { return "\(s) s" }
        if s < 3600 { return "\(s / 60) min" }
        if s < 86400 { return "\(s / 3600) h \(s % 3600 / 60) min" }
        return "\(s / 86400) d \(s % 86400 / 3600) h"
    }

    /// `12,345,678`.
    static func count(_ n: UInt64) -> String {
        let digits = Array(String(n))
        var out = ""
        for (i, digit) in digits.enumerated() {
            if i > 0 && (digits.count - i) % 3 == 0 { out.append(",") }
            out.append(digit)
        }
        return out
    }
    static func count(_ n: Int64) -> String { (n < 0 ? "-" : "") + count(n.magnitude) }

    /// Three digits.
    private static func significant(_ value: Double) -> String {
        if value >= 99.95 { return "\(Int(value.rounded()))" }
        let scale: Double = value >= 9.995 ? 10 : 100
        let scaled = Int((value * scale).rounded())
        let fraction = String(scaled % Int(scale))
        let padding = String(repeating: "0", count: (scale == 10 ? 1 : 2) - fraction.count)
        return "\(scaled / Int(scale)).\(padding)\(fraction)"
    }
}

/// Columns of text: the first to the left, the others to the right.
struct Table {
    private var rows: [[String]] = []
    mutating func add(_ row: [String]) { rows.append(row) }

    var lines: [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { c in rows.map { c < $0.count ? $0[c].count : 0 }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { c, cell in
                let space = String(repeating: " ", count: max(widths[c] - cell.count, 0))
                return c == 0 ? cell + space : space + cell
            }.joined(separator: "  ")
        }
    }
}
