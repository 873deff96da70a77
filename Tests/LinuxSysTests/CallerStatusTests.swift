import Testing

@testable import LinuxSys

/// Groups and capabilities of a caller, out of /proc/TID/status.
struct CallerStatusTests {
    private func parsed(_ text: String) -> CallerStatus? { CallerStatus(text: Array(text.utf8)) }

    @Test func linesOfTheKernel() throws {
        let status = try #require(
            parsed(
                "Name:\tCapEff: Groups:\nUid:\t0\t0\t0\t0\nGroups:\t4 24 1000 \nCapPrm:\t0\nCapEff:\t000001f7fffdffff\n"
            ))
        #expect(status.groups == [4, 24, 1000])
        #expect(status.has(Capability.fsetid) && !status.has(17) && status.has(Capability.sysAdmin) && !status.has(35))
        #expect(try #require(parsed("Groups:\t\nCapEff:\t0000000000000000\n")).groups.isEmpty)
    }
    @Test(arguments: ["", "Groups:\t1\n", "CapEff:\t0\n", "groups:\t1\ncapeff:\t0\n"])
    func whatIsNone(_ text: String) { #expect(parsed(text) == nil) }
    /// No request: nobody to look at.
    @Test func nobodyAsks() {
        WaitingCaller.begin(0)
        #expect(CallerStatus.read() == nil && WaitingCaller.isInChown == nil && !WaitingCaller.wasKilled)
    }
    /// This very thread, which is in no chown(2).
    @Test func ourselves() throws {
        WaitingCaller.begin(UInt32(Process.id))
        defer { WaitingCaller.begin(0) }
        let status = try #require(CallerStatus.read())
        #expect(status.isInOurUserNamespace)
        #expect(status.has(Capability.dacReadSearch) == Process.hasCapability(Capability.dacReadSearch))
    }
}
