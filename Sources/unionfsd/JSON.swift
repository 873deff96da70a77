/// A JSON value, written. Keys keep their order.
enum JSON {
    case string(String)
    case int(Int64)
    case uint(UInt64)
    case bool(Bool)
    case null
    /// A document that is JSON already.
    case raw(String)
    case array([JSON])
    case object([(String, JSON)])

    /// On several lines, or with `compact` on one, for a stream of them.
    func text(compact: Bool = false) -> String {
        var out = ""
        write(to: &out, indent: compact ? nil : 0)
        return out
    }

    private func write(to out: inout String, indent: Int?) {
        switch self {
        case .string(let s): JSON.quote(s, to: &out)
        case .int(let n): out += "\(n)"
        case .uint(let n): out += "\(n)"
        case .bool(let b): out += b ? "true" : "false"
        case .null: out += "null"
        case .raw(let text): out += text
        case .array(let values):
            JSON.list("[", "]", values.count, to: &out, indent: indent) { i, out, deeper in
                values[i].write(to: &out, indent: deeper)
            }
        case .object(let members):
            JSON.list("{", "}", members.count, to: &out, indent: indent) { i, out, deeper in
                JSON.quote(members[i].0, to: &out)
                out += deeper == nil ? ":" : ": "
                members[i].1.write(to: &out, indent: deeper)
            }
        }
    }

    private static func list(
        _ open: String, _ close: String, _ count: Int, to out: inout String, indent: Int?,
        _ element: (Int, inout String, Int?) -> Void
    ) {
        out += open
        for i in 0..<count {
            if i > 0 { out += "," }
            if let indent { out += "\n" + String(repeating: "  ", count: indent + 1) }
            element(i, &out, indent.map { $0 + 1 })
        }
        if let indent, count > 0 { out += "\n" + String(repeating: "  ", count: indent) }
        out += close
    }

    private static func quote(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case "\r": out += "\\r"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7f {
                    let hex = String(scalar.value, radix: 16)
                    out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                } else {
                    out.unicodeScalars.append(scalar)
                }
            }
        }
        out += "\""
    }
}
