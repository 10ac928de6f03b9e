// swift-tools-version: 6.2
// trajpack's layers. Arrows go down only: a target may depend on those above it in this file.
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
]

/// Video can be left out: `swift build --disable-default-traits`.
let video: TargetDependencyCondition? = .when(traits: ["Video"])

let package = Package(
  name: "trajpack",
  products: [
    .executable(name: "trajpack", targets: ["trajpack"]),
    // What another Swift package imports: reading, without libhdf5 and FFmpeg (docs/swift.md).
    .library(name: "Trajpack", targets: ["Trajpack"]),
    // libtrajpack.so, which Python loads. Only here are flags unsafe: the Swift runtime goes in, and nothing
    // but the functions of the headers in CTrajpack comes out.
    .library(name: "trajpack-c", type: .dynamic, targets: ["TrajpackABI"]),
    // libtrajpack-write.so, which Python loads when it writes: the only one that uses libhdf5.
    .library(name: "trajpack-write", type: .dynamic, targets: ["TrajpackWriterABI"]),
    // libtrajpack-video.so, which Python loads when frames of a video are first asked for: the only one that uses
    // FFmpeg.
    .library(name: "trajpack-video", type: .dynamic, targets: ["TrajpackVideoABI"]),
  ],
  traits: [
    .trait(name: "Video", description: "Demux, index and decode video with FFmpeg's libav*."),
    .default(enabledTraits: ["Video"]),
  ],
  targets: [
    // System libraries and the few lines of C that Swift cannot say.
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CBZip2", providers: [.apt(["libbz2-dev"])]),
    .systemLibrary(name: "CLZMA", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CHDF5", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(
      name: "CFFmpeg",
      providers: [
        .apt(["libavformat-dev", "libavcodec-dev", "libswscale-dev", "libavutil-dev"])
      ]),
    .target(name: "CPlatform"),
    .target(name: "CTrajpack"),
    .target(name: "CVideoTable"),
    // The recordings of `trajpack demo`, taken into the program as they lie in fixtures.
    .target(
      name: "CDemo", cSettings: [.headerSearchPath("../../fixtures/wildworld/data_part1")]),
    // libhdf5, FFmpeg and libcurl are not linked but loaded when they are first needed: the functions that trajpack
    // calls are listed and defined in CHDF5Shims, CFFmpegShims and CCurlShims. Without pkgConfig, which would link them.
    .target(name: "CLazyLoading"),
    .target(
      name: "CHDF5Shims", dependencies: ["CHDF5", "CLazyLoading", "CZstd", "CLZ4"]),
    .target(name: "CFFmpegShims", dependencies: ["CFFmpeg", "CLazyLoading"]),
    .target(name: "CCurlShims", dependencies: ["CLazyLoading"]),

    // The format and the reading path.
    .target(name: "TrajpackFormat", dependencies: ["CPlatform"], swiftSettings: strict),
    .target(
      name: "TrajpackCodecs",
      dependencies: ["CZlib", "CZstd", "CLZ4", "CPlatform", "TrajpackFormat"],
      swiftSettings: strict),
    // Objects on web servers and in buckets.
    .target(
      name: "TrajpackRemote",
      dependencies: [
        "TrajpackFormat", "TrajpackCodecs", "CCurlShims", "CLazyLoading", "CPlatform",
      ],
      swiftSettings: strict),
    .target(
      name: "TrajpackStore",
      dependencies: [
        "TrajpackFormat", "TrajpackCodecs", "TrajpackRemote", "CPlatform",
      ],
      swiftSettings: strict),
    .target(
      name: "TrajpackLoader",
      dependencies: [
        "TrajpackFormat", "TrajpackCodecs", "TrajpackRemote", "TrajpackStore", "TrajpackSignal",
        "CPlatform", "CVideoTable",
      ],
      swiftSettings: strict),
    // What another Swift package sees of the above.
    .target(
      name: "Trajpack", dependencies: ["TrajpackFormat", "TrajpackStore", "TrajpackLoader"],
      swiftSettings: strict),
    // Rules on what the numbers of a dataset mean, and reports of what breaks them.
    .target(
      name: "TrajpackValidate",
      dependencies: ["CPlatform", "TrajpackFormat", "TrajpackCodecs", "TrajpackStore"],
      swiftSettings: strict),
    // Errors, texts and handles of the C interface.
    .target(
      name: "TrajpackCInterface", dependencies: ["CTrajpack", "TrajpackFormat"],
      swiftSettings: strict),
    .target(
      name: "TrajpackABI",
      dependencies: [
        "CTrajpack", "CVideoTable", "TrajpackFormat", "TrajpackRemote", "TrajpackStore",
        "TrajpackLoader", "TrajpackSignal", "TrajpackEvaluate", "TrajpackCInterface",
      ],
      exclude: ["exports.map"], swiftSettings: strict,
      linkerSettings: [
        .unsafeFlags(
          [
            "-static-stdlib", "-Xlinker", "--gc-sections", "-Xlinker", "-soname=libtrajpack.so",
            "-Xlinker",
            "--version-script=\(Context.packageDirectory)/Sources/TrajpackABI/exports.map",
          ], .when(configuration: .release))
      ]),

    // Pure functions over buffers.
    .target(
      name: "TrajpackSignal", dependencies: ["TrajpackFormat", "TrajpackCodecs", "CPlatform"],
      swiftSettings: strict),
    // Scores of predictions against truth.
    .target(
      name: "TrajpackEvaluate", dependencies: ["CPlatform", "TrajpackFormat", "TrajpackSignal"],
      swiftSettings: strict),

    // What needs FFmpeg or libhdf5.
    .target(
      name: "TrajpackVideo",
      dependencies: [
        .target(name: "CFFmpegShims", condition: video), "CPlatform", "TrajpackFormat",
      ],
      swiftSettings: strict),
    // The table of functions by which a loader has frames.
    .target(
      name: "TrajpackVideoABI", dependencies: ["CVideoTable", "TrajpackVideo", "TrajpackFormat"],
      exclude: ["exports.map"], swiftSettings: strict,
      linkerSettings: [
        .unsafeFlags(
          [
            "-static-stdlib", "-Xlinker", "--gc-sections", "-Xlinker",
            "-soname=libtrajpack-video.so", "-Xlinker",
            "--version-script=\(Context.packageDirectory)/Sources/TrajpackVideoABI/exports.map",
          ], .when(configuration: .release))
      ]),
    .target(
      name: "TrajpackHDF5",
      dependencies: ["CHDF5", "CHDF5Shims", "TrajpackFormat", "TrajpackCodecs", "TrajpackStore"],
      swiftSettings: strict),
    .target(
      name: "TrajpackSources",
      dependencies: [
        "CZlib", "CBZip2", "CLZMA", "CHDF5Shims", "CPlatform", "TrajpackFormat", "TrajpackCodecs",
        "TrajpackStore",
        "TrajpackSignal", "TrajpackLoader", "TrajpackHDF5", "TrajpackVideo",
      ],
      swiftSettings: strict),

    // Reports of scores, and how they look.
    .target(
      name: "TrajpackReports",
      dependencies: [
        "TrajpackFormat", "TrajpackCodecs", "TrajpackStore", "TrajpackSignal", "TrajpackLoader",
        "TrajpackEvaluate", "TrajpackSources",
      ], swiftSettings: strict),

    .target(
      name: "TrajpackWriterABI",
      dependencies: [
        "CTrajpack", "TrajpackFormat", "TrajpackRemote", "TrajpackStore", "TrajpackHDF5",
        "TrajpackSources", "TrajpackCInterface",
      ],
      exclude: ["exports.map"], swiftSettings: strict,
      linkerSettings: [
        .unsafeFlags(
          [
            "-static-stdlib", "-Xlinker", "--gc-sections", "-Xlinker",
            "-soname=libtrajpack-write.so", "-Xlinker",
            "--version-script=\(Context.packageDirectory)/Sources/TrajpackWriterABI/exports.map",
          ], .when(configuration: .release))
      ]),

    // The command line.
    .target(
      name: "TrajpackCommands",
      dependencies: [
        "TrajpackFormat", "TrajpackCodecs", "TrajpackStore", "TrajpackLoader", "TrajpackSignal",
        "TrajpackHDF5", "TrajpackSources", "TrajpackEvaluate", "TrajpackReports",
        "TrajpackValidate", "CVideoTable", "CDemo", "TrajpackVideoABI",
      ],
      swiftSettings: strict),
    // The Swift runtime goes in, so that the program runs where no toolchain is.
    .executableTarget(
      name: "trajpack", dependencies: ["TrajpackCommands"], swiftSettings: strict,
      linkerSettings: [.unsafeFlags(["-static-stdlib"], .when(configuration: .release))]),

    // Tests: one target a module, and a library of seeded generators and law checkers.
    .target(
      name: "TrajpackTestSupport", dependencies: ["TrajpackFormat", "TrajpackStore"],
      path: "Tests/TrajpackTestSupport", swiftSettings: strict),
    // Writes every feature of the format, for the second reader, the golden files and the crash proof.
    .executableTarget(
      name: "specimen",
      dependencies: ["TrajpackFormat", "TrajpackStore", "TrajpackSources", "TrajpackTestSupport"],
      path: "Tests/Specimen", swiftSettings: strict),
    .testTarget(
      name: "TrajpackFormatTests", dependencies: ["TrajpackFormat", "TrajpackTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "TrajpackEvaluateTests",
      dependencies: [
        "TrajpackEvaluate", "TrajpackSignal", "TrajpackFormat", "TrajpackTestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "TrajpackCodecsTests",
      dependencies: ["TrajpackCodecs", "TrajpackFormat", "TrajpackTestSupport", "CPlatform"],
      swiftSettings: strict),
    .testTarget(
      name: "TrajpackRemoteTests",
      dependencies: ["TrajpackRemote", "TrajpackFormat", "TrajpackTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "TrajpackStoreTests",
      dependencies: [
        "TrajpackStore", "TrajpackHDF5", "TrajpackCodecs", "TrajpackFormat", "TrajpackTestSupport",
      ], swiftSettings: strict),
    .testTarget(
      name: "TrajpackLoaderTests",
      dependencies: [
        "TrajpackLoader", "TrajpackStore", "TrajpackHDF5", "TrajpackFormat", "TrajpackTestSupport",
      ], swiftSettings: strict),
    .testTarget(
      name: "TrajpackTests", dependencies: ["Trajpack", "TrajpackLoader", "TrajpackStore"],
      swiftSettings: strict),
    .testTarget(
      name: "TrajpackSourcesTests",
      dependencies: [
        "TrajpackSources", "TrajpackStore", "TrajpackCodecs", "TrajpackFormat",
        "TrajpackTestSupport", "CZlib",
      ], swiftSettings: strict),
    .testTarget(
      name: "TrajpackCommandsTests",
      dependencies: ["TrajpackCommands", "TrajpackFormat", "TrajpackTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "TrajpackReportsTests",
      dependencies: ["TrajpackReports", "TrajpackFormat", "TrajpackTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "TrajpackVideoTests", dependencies: ["TrajpackVideo", "TrajpackFormat"],
      swiftSettings: strict),
    .testTarget(
      name: "TrajpackValidateTests",
      dependencies: ["TrajpackValidate", "TrajpackFormat", "TrajpackTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "TrajpackSignalTests",
      dependencies: ["TrajpackSignal", "TrajpackFormat", "TrajpackTestSupport"],
      swiftSettings: strict),
  ]
)

// What parses bytes of strangers: targets of libFuzzer, which tools/fuzz/run.sh builds and links (SwiftPM renames main),
// and else a test that replays their corpora.
let parsers: [Target.Dependency] = [
  "TrajpackFormat", "TrajpackCodecs", "TrajpackStore", "TrajpackLoader", "TrajpackSignal",
  "TrajpackValidate", "TrajpackSources", "TrajpackReports", "TrajpackVideo",
]
package.targets.append(
  Context.environment["TRAJPACK_FUZZ"] != nil
    ? .target(
      name: "TrajpackFuzz", dependencies: parsers, path: "tools/fuzz/Targets",
      exclude: ["ReplayTests.swift"], swiftSettings: strict)
    : .testTarget(
      name: "TrajpackFuzzTests", dependencies: parsers + ["TrajpackTestSupport"],
      path: "tools/fuzz/Targets", swiftSettings: strict))
