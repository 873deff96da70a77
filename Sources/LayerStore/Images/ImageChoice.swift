internal import LinuxSys

/// Which images of a layout are meant: index.json has images, and indexes of images for several kinds of machines,
/// which may have indexes in turn; and beside them what is said about images and is none.
struct ImageChoice {
    struct Chosen {
        /// Nil: the manifest came by itself.
        let descriptor: Descriptor?
        let manifest: ImageManifest
        /// Of its entry in index.json.
        let annotations: [String: String]
    }

    private let files: ImageFiles
    /// Documents read: an index may name another many times, and that again.
    private var documents = 0
    private static let mostDocuments = 4096
    private static let deepest = 16

    private init(_ files: ImageFiles) { self.files = files }

    /// One for each entry of index.json, or for each name that several entries have together.
    static func images(of index: ImageIndex, _ files: ImageFiles) throws(StoreError) -> [Chosen] {
        var choice = ImageChoice(files)
        var groups: [[Descriptor]] = []
        for entry in index.manifests {
            // Several entries of one name, or of none, are one image for several kinds of machines.
            let name = entry.imageName
            let place = entry.platform.flatMap { platform in
                groups.firstIndex {
                    $0[0].platform != nil && $0[0].imageName == name && !$0.contains { $0.platform == platform }
                }
            }
            if let place { groups[place].append(entry) } else { groups.append([entry]) }
        }
        var chosen: [Chosen] = []
        for group in groups { if let image = try choice.choose(group) { chosen.append(image) } }
        return chosen
    }

    private struct Candidate {
        let descriptor: Descriptor
        let manifest: ImageManifest
        /// Its own, or else that of the index which it is in.
        let platform: Descriptor.Platform?
        let annotations: [String: String]
    }

    /// Nil: nothing in it is an image.
    private mutating func choose(_ entries: [Descriptor]) throws(StoreError) -> Chosen? {
        var candidates: [Candidate] = []
        var isChoice = entries.count > 1
        for entry in entries { if try gather(entry, nil, entry.annotations ?? [:], 0, &candidates) { isChoice = true } }
        guard let first = candidates.first else {
            if isChoice, !entries.allSatisfy(\.isAttestation) {
                throw StoreError(.invalid, "an index of the layout has no image in it")
            }
            return nil
        }
        // Given alone it is what is wanted, whatever it is for.
        if !isChoice {
            return Chosen(descriptor: first.descriptor, manifest: first.manifest, annotations: first.annotations)
        }
        let suitable = candidates.filter { $0.platform.map { $0.isOfMachine } ?? false }
        // A processor of a later kind (amd64's v3) is not asked for where there is another.
        if let best = suitable.first(where: { ($0.platform?.variant ?? "").isEmpty }) ?? suitable.first {
            return Chosen(descriptor: best.descriptor, manifest: best.manifest, annotations: best.annotations)
        }
        // An entry without a platform: its configuration says what it is for.
        var others = candidates.compactMap(\.platform?.architecture)
        for candidate in candidates where candidate.platform == nil {
            let config = try ImageConfig(bytes: try files.document(candidate.manifest.config))
            if (config.architecture ?? "").isEmpty
                || Descriptor.Platform(architecture: config.architecture, os: config.os ?? "linux").isOfMachine
            {
                return Chosen(
                    descriptor: candidate.descriptor, manifest: candidate.manifest, annotations: candidate.annotations)
            }
            others.append(config.architecture ?? "")
        }
        throw StoreError(
            .invalid,
            """
            the image is not for this kind of machine: it has \(others.joined(separator: ", ")), this is \
            \(Machine.architecture)
            """
        )
    }

    /// - Returns: whether it is an index.
    private mutating func gather(
        _ descriptor: Descriptor, _ platform: Descriptor.Platform?, _ annotations: [String: String], _ depth: Int,
        _ out: inout [Candidate]
    ) throws(StoreError) -> Bool {
        if descriptor.isAttestation { return false }
        let platform = descriptor.platform ?? platform
        documents += 1
        if depth > Self.deepest || documents > Self.mostDocuments {
            throw StoreError(.hostile, "the layout's indexes have no end")
        }
        // What is for another machine need not be there at all.
        if depth > 0, let platform, !platform.isOfMachine, !files.has(descriptor) {
            return false
        }
        let bytes = try files.document(descriptor)
        let kind: DocumentKind = try Document.read(bytes, "a manifest")
        if kind.isIndex(descriptor.mediaType) {
            let index: ImageIndex = try Document.read(bytes, "an index")
            for entry in index.manifests { _ = try gather(entry, platform, annotations, depth + 1, &out) }
            return true
        }
        guard kind.isImage else { return false }
        let manifest: ImageManifest = try Document.read(bytes, "a manifest")
        out.append(Candidate(descriptor: descriptor, manifest: manifest, platform: platform, annotations: annotations))
        return false
    }

    /// As much of a document as says what it is.
    private struct DocumentKind: Decodable {
        struct Config: Decodable { let mediaType: String? }
        struct Anything: Decodable {}
        let mediaType: String?
        let config: Config?
        let manifests: [Anything]?
        let layers: [Anything]?

        func isIndex(_ said: String?) -> Bool {
            Descriptor.indexTypes.contains(said ?? mediaType ?? "") || manifests != nil && layers == nil
        }
        /// Signatures, charts and the like are manifests with another configuration (image-spec, manifest.md).
        var isImage: Bool {
            config != nil && layers != nil && (config?.mediaType.map { Descriptor.configTypes.contains($0) } ?? true)
        }
    }
}

extension Descriptor {
    static let configTypes = [configType, "application/vnd.docker.container.image.v1+json"]
    /// umoci and skopeo write a tag alone, podman and containerd all of the name.
    var imageName: String? { annotations?[Self.fullNameAnnotation] ?? annotations?[Self.nameAnnotation] }
    /// What buildkit puts beside an image: how it was made.
    var isAttestation: Bool {
        annotations?["vnd.docker.reference.type"] == "attestation-manifest"
            || platform?.os == "unknown" && platform?.architecture == "unknown"
    }
}
extension Descriptor.Platform {
    var isOfMachine: Bool { architecture == Machine.architecture && os == "linux" }
}
