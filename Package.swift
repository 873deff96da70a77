// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours: Swift 6, every unsafe use marked, a warning is an error.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// A mount is one file that needs no library: finding and relocating them is a fifth of the time from exec to an
/// answering mount, and copying what was relocated makes its forks dearer. Its code is at a fixed address so; heap,
/// stacks and mappings are not. (static-pie would be as quick, but SwiftPM gives every program an rpath, at which
/// glibc's start of one ends.)
let lean: [LinkerSetting] = [.unsafeFlags(["-static-executable"], .when(configuration: .release))]

let package = Package(
    name: "unionfsd",
    products: [
        .executable(name: "unionfsd", targets: ["unionfsd"]),
        .executable(name: "unionfsd-mount", targets: ["unionfsd-mount"]),
        .executable(name: "unionfsd-check", targets: ["unionfsd-check"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // Images and containers: metadata, digests, the supervisor's API. A mount links none of these.
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        // C: the library we decode requests with, and what Swift cannot import by itself.
        .systemLibrary(name: "CFuse", pkgConfig: "fuse3", providers: [.apt(["libfuse3-dev"])]),
        .target(name: "CShims", cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),

        // The mount, from the kernel's face upwards. No Foundation in any of these.
        .target(name: "LinuxSys", dependencies: ["CShims"], swiftSettings: strict),
        .target(name: "FuseKit", dependencies: ["LinuxSys", "CFuse", "CShims"], swiftSettings: strict),
        .target(name: "UnionCore", dependencies: ["LinuxSys"], swiftSettings: strict),
        .target(name: "MountState", dependencies: ["LinuxSys"], swiftSettings: strict),
        .target(
            name: "UnionFS", dependencies: ["UnionCore", "FuseKit", "MountState", "LinuxSys"], swiftSettings: strict),

        // Images and containers on the disk.
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "LayerStore",
            dependencies: [
                "LinuxSys", "UnionCore", "CArchive", "CZlib", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict),

        // Containers that run: their mounts, and what an OCI runtime starts in them. The supervisor that owns them, and
        // how it is spoken to.
        .target(
            name: "Containers", dependencies: ["LayerStore", "MountState", "UnionCore", "LinuxSys"],
            swiftSettings: strict),
        .target(
            name: "ControlProtocol",
            dependencies: [
                "LinuxSys", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .target(
            name: "Supervisor",
            dependencies: [
                "Containers", "ControlProtocol", "LayerStore", "MountState", "LinuxSys", "CShims",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: strict),

        // The executables: what engines call and what stays behind a mount; and the command line.
        .executableTarget(
            name: "unionfsd-mount",
            dependencies: ["UnionFS", "UnionCore", "FuseKit", "MountState", "LinuxSys"],
            swiftSettings: strict, linkerSettings: lean),
        .executableTarget(
            name: "unionfsd",
            dependencies: [
                "Supervisor", "ControlProtocol", "Containers", "LayerStore", "UnionCore", "MountState", "LinuxSys",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // What judges a mount from outside: parity with a plain directory, comparison with the kernel's overlayfs,
        // stress.
        .target(name: "CInject", path: "Tests/Inject", cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .executableTarget(
            name: "unionfsd-check", dependencies: ["CShims", "CInject"], path: "Tests/Checks", swiftSettings: strict),

        .testTarget(name: "LinuxSysTests", dependencies: ["LinuxSys"], swiftSettings: strict),
        .testTarget(name: "MountStateTests", dependencies: ["MountState", "LinuxSys"], swiftSettings: strict),
        .testTarget(name: "FuseKitTests", dependencies: ["FuseKit", "LinuxSys", "CShims"], swiftSettings: strict),
        .testTarget(name: "UnionCoreTests", dependencies: ["UnionCore", "LinuxSys"], swiftSettings: strict),
        .testTarget(name: "LayerStoreTests", dependencies: ["LayerStore", "LinuxSys"], swiftSettings: strict),
        .testTarget(name: "SupervisorTests", dependencies: ["Supervisor", "LayerStore"], swiftSettings: strict),
        .testTarget(
            name: "UnionFSTests", dependencies: ["UnionFS", "UnionCore", "LinuxSys", "MountState"],
            swiftSettings: strict),
    ]
)
