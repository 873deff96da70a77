/// Differences from a native directory that are inherent in what is tested, each with its reason. Off unless asked
/// for by the name of their set (`--known overlay`): a union filesystem may do better, and then must go on doing so.
struct Known {
    struct Entry: Sendable {
        let set: String
        /// Beginnings of the case's name and of the line's label.
        let test: String
        let label: String
        let reason: String
    }

    static let table: [Entry] = [
    ]

    let sets: [String]

    func reason(_ test: String, _ difference: Transcript.Difference) -> String? {
        Self.table.first {
            sets.contains($0.set) && test.hasPrefix($0.test) && difference.label.hasPrefix($0.label)
        }?.reason
    }
}
