import CShims
import LinuxSys

@testable import FuseKit

/// Requests as the kernel lays them out, and replies taken apart.
enum Wire {
    static func bytes<T: BitwiseCopyable>(_ value: T) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: MemoryLayout<T>.size)
        out.withLentMutable { _ = $0.store(value) }
        return out
    }
    static func name(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

    static func request(_ opcode: UInt32, node: UInt64 = 1, unique: UInt64 = 2, _ parts: [UInt8]...) -> [UInt8] {
        let body = Array(parts.joined())
        var header = fuse_in_header()
        header.len = UInt32(40 + body.count)
        header.opcode = opcode
        header.unique = unique
        header.nodeid = node
        header.uid = 1000
        header.gid = 1001
        header.pid = 42
        return bytes(header) + body
    }
}

struct Reply {
    var header: fuse_out_header
    var payload: [UInt8]
    var errno: Int32 { -header.error }
    func load<T: BitwiseCopyable>(_ type: T.Type, at offset: Int = 0) -> T? {
        payload.withLent { $0.load(type, at: offset) }
    }
}

extension Dispatcher {
    /// The reply, taken apart; nil where there is none.
    func answer(_ message: [UInt8]) -> Reply? {
        message.withLent { m in
            guard case .reply(let bytes, _) = handle(m), let header = bytes.load(fuse_out_header.self),
                Int(header.len) == bytes.count
            else { return nil }
            return Reply(header: header, payload: bytes.dropping(16).array)
        }
    }
}
