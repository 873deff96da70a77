import LinuxSys
import Testing

/// Names are bytes.
struct NameTests {
    @Test func equalityIsOfBytes() {
        let composed: FileName = "\u{e9}"
        let decomposed: FileName = "e\u{301}"
        #expect(composed != decomposed)
        #expect(FileName(bytes: [0xff, 0xfe]) == FileName(bytes: [0xff, 0xfe]))
        #expect(FileName(bytes: [0xff]) != FileName(bytes: [0xfe]))
    }
    @Test func aNulEndsAName() {
        let name = FileName(bytes: [0x61, 0, 0x62])
        #expect(name.count == 1 && Array(name.bytes) == [0x61])
        #expect(FileName("").isEmpty && FileName("").count == 0)
    }
    @Test func lentAndOwnedAgain() {
        let name = FileName(bytes: [0x0a, 0xff, 0x20])
        let (again, count) = name.withRef { n in (n.owned, n.count) }
        #expect(again == name && count == 3)
        #expect(name.withRef { n in n[0] == 0x0a && n[2] == 0x20 && n[3] == 0 && n[-1] == 0 })
    }
    @Test func dots() {
        for (text, isDots) in [(".", true), ("..", true), ("...", false), ("", false), (".a", false), ("a.", false)] {
            #expect(FileName(text).withRef { $0.isDotOrDotDot } == isDots, "\(text)")
        }
        #expect(FileName("a/b").withRef { $0.hasSlash } && !FileName("ab").withRef { $0.hasSlash })
    }
    @Test func prefixes() {
        let name: FileName = ".wh.x"
        #expect(name.withRef { n in n.hasPrefix(".wh.") && n.dropping(4).equals("x") && n.equals(".wh.x") })
        #expect(!FileName(".wh").withRef { $0.hasPrefix(".wh.") })
        #expect(name.withRef { n in n.dropping(99).isEmpty && n.dropping(-1).count == 5 })
    }
    @Test(arguments: [0, 1, 250, 251, 252, 255])
    func prefixUpToTheLongestName(_ length: Int) {
        let name = FileName(bytes: [UInt8](repeating: 0x61, count: length))
        let made = name.withRef { n in n.withPrefix(".wh.") { $0.owned } }
        if length + 4 <= 255 {
            #expect(made == FileName(".wh." + String(repeating: "a", count: length)))
        } else {
            #expect(made == nil)
        }
    }
    @Test func hashesDifferByParent() {
        let name: FileName = "usr"
        let hashes = Set((0..<1000).map { seed in name.withRef { $0.hash(seed: UInt64(seed)) } })
        #expect(hashes.count == 1000)
    }
    @Test func shortNames() {
        for (number, text) in [(0, "#0"), (15, "#f"), (0x1234, "#1234"), (UInt64.max, "#ffffffffffffffff")]
            as [(UInt64, String)]
        {
            let name = ShortName(prefix: "#", number: number)
            #expect(name.withRef { $0.owned } == FileName(text))
            #expect(name.count == text.utf8.count)
        }
        let long = ShortName(prefix: "0123456789012345678901234567890123456789", number: UInt64.max)
        #expect(long.count == 48)
    }
    @Test func listsOfNames() {
        var names: [FileName] = []
        Array("user.a\0\0trusted.b\0unended".utf8).forEachName { names.append($0.owned) }
        #expect(names == ["user.a", "trusted.b"])
        [UInt8]().forEachName { _ in Issue.record("no name here") }
    }
    @Test func aHeapOfNamesRefusesWhatIsNotThere() {
        let heap = Array("abc\0de\0".utf8)
        #expect(heap.withName(at: 4, length: 2) { $0.owned } == "de")
        for (offset, length) in [(0, 2), (-1, 3), (5, 9), (7, 0), (0, -1)] {
            #expect(heap.withName(at: offset, length: length) { $0.isEmpty })
        }
    }
}
