internal import ArgumentParser
internal import Containers
internal import LayerStore
internal import LinuxSys

/// Where images and containers are.
struct StoreOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The store; default: $UNIONFSD_ROOT, else /var/lib/unionfsd, for an ordinary user $XDG_DATA_HOME/unionfsd.",
            valueName: "dir"), completion: .directory)
    var root: String?

    var path: FileName { root.map(Words.name) ?? Process.environment("UNIONFSD_ROOT") ?? Store.defaultRoot }

    /// An ordinary user's is used in a namespace of its own: before the first thread, and before signals are held, as
    /// others may have to be waited for.
    /// - Parameter paths: of this machine, which are meant to be the same in there.
    func enter(seeing paths: [FileName] = []) throws {
        try told { () throws(StoreError) in try StoreNamespace.enter(path, seeing: paths) }
    }
    func open(seeing paths: [FileName] = []) throws -> Store {
        try enter(seeing: paths)
        return try told { () throws(StoreError) in try Store(path) }
    }
}

/// A failure of the store, as the command line says it: a sentence, and exit status 1.
func told<R>(_ body: () throws(StoreError) -> R) throws -> R {
    do throws(StoreError) { return try body() } catch { throw Failure.because(error.description) }
}
