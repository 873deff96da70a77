import LinuxSys
import Testing

/// subuid(5): `NAME:START:COUNT`.
struct SubordinateIDTests {
    private func ranges(_ text: String, user: UInt32 = 1000, name: String? = "jane") -> [String] {
        SubordinateIDs.ranges(of: user, name: name.map { Array($0.utf8) }, in: Array(text.utf8)).map {
            "\($0.start)+\($0.count)"
        }
    }
    @Test func byNameAndByNumber() {
        #expect(ranges("root:1:2\njane:100000:65536\n1000:300000:10\njanet:5:5\n") == ["100000+65536", "300000+10"])
        #expect(ranges("1000:7:8", name: nil) == ["7+8"])
        // A name that is a number is that number's user, whoever is called so.
        #expect(ranges("1000:7:8", user: 5, name: "five").isEmpty)
    }
    /// A user may stand there by name and by number; the kernel takes no map with an id twice.
    @Test func overlapsAreLeftOut() {
        #expect(
            ranges("jane:100000:65536\n1000:100000:65536\njane:165535:5\njane:165536:5") == [
                "100000+65536", "165536+5",
            ])
        #expect(ranges("jane:10:10\njane:5:6\njane:0:5") == ["10+10", "0+5"])
    }
    @Test func whatIsNoRangeIsPassedOver() {
        #expect(
            ranges("jane:100000\njane:a:5\njane:5:b\njane:5:0\njane:4294967295:2\njane:-1:5\njane:1:2:3\n\n:\njane:9:1")
                == ["9+1"])
        #expect(ranges("").isEmpty)
    }
}
