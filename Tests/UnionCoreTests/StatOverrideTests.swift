import LinuxSys
import Testing

@testable import UnionCore

/// `user.containers.override_stat`, as containers/storage writes it.
struct StatOverrideTests {
    private func parsed(_ text: String) -> StatOverride? { StatOverride(Array(text.utf8)) }
    private func file(_ mode: UInt32 = 0o100777) -> FileStatus {
        var status = FileStatus()
        status.mode = mode
        status.size = 5
        return status
    }

    @Test func ownersAndModes() throws {
        let o = try #require(parsed("1000:1001:04755"))
        #expect(o.uid == 1000 && o.gid == 1001 && o.permissions == 0o4755 && o.kind == nil)
        #expect(String(decoding: o.text, as: UTF8.self) == "1000:1001:04755")
        let seen = o.applied(to: file())
        #expect(seen.mode == 0o104755 && seen.uid == 1000 && seen.gid == 1001 && seen.size == 5)
        #expect(try #require(parsed("0:0:0100644")).permissions == 0o644)
    }
    @Test func kinds() throws {
        for (text, mode, device) in [
            ("pipe", 0o010600, 0), ("socket", 0o140600, 0), ("char-1-3", 0o020600, 0x103),
            ("block-8-17", 0o060600, 0x811),
            ("block8:17", 0o060600, 0x811), ("char-259-70000", 0o020600, 0x11_11_03_70), ("file", 0o100600, 0),
        ] as [(String, UInt32, UInt64)] {
            let seen = try #require(parsed("0:0:0600:" + text)).applied(to: file())
            #expect(
                seen.mode == mode && seen.rdev == device,
                "\(text): \(String(seen.mode, radix: 8)) \(String(seen.rdev, radix: 16))")
            // Back again, as an upper layer keeps it.
            #expect(StatOverride(StatOverride(seen).text)?.applied(to: file()).rdev == device)
        }
    }
    @Test func whatStaysWhatItIs() throws {
        #expect(try #require(parsed("1:2:0600:char-0-0")).applied(to: file()).isRegular)
        #expect(try #require(parsed("1:2:0600:dir")).applied(to: file()).isRegular)
        #expect(try #require(parsed("1:2:0600:symlink")).applied(to: file()).isRegular)
        #expect(try #require(parsed("1:2:0600:pipe")).applied(to: file(0o040755)).isDirectory)
        let link = file(0o120777)
        #expect(try #require(parsed("1:2:0600")).applied(to: link).uid == link.uid)
    }
    @Test(arguments: [
        "", "1", "1:2", "1:2:", ":2:0644", "1:2:9", "-1:2:0644", "4294967295:2:0644", "1:2:0644:", "1:2:0644:what",
        "1:2:0644:char-1",
        "1:2:0644:char-1-2-3", "99999999999999:1:0644", "0x1:2:0644",
    ])
    func whatIsNone(_ text: String) { #expect(parsed(text) == nil) }
}
