package io.usagearchiver;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;

/** What design.md's layout promises of the classes in the library. */
@AnalyzeClasses(packagesOf = Archiver.class, importOptions = DoNotIncludeTests.class)
class ArchitectureTest {
    private static final String CORE = "io.usagearchiver";

    @ArchTest
    static final ArchRule arrows_point_inward = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("cli")
            .definedBy(CORE + ".cli..")
            .layer("codegen")
            .definedBy(CORE + ".codegen..")
            .optionalLayer("metrics")
            .definedBy(CORE + ".metrics..")
            .layer("quartz")
            .definedBy(CORE + ".quartz..")
            .layer("core")
            .definedBy(CORE)
            .layer("generated")
            .definedBy(CORE + ".generated..")
            .whereLayer("cli")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("codegen")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("codegen")
            .mayNotAccessAnyLayer()
            .whereLayer("metrics")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("quartz")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("generated")
            .mayOnlyBeAccessedByLayers("core")
            .whereLayer("generated")
            .mayNotAccessAnyLayer()
            .ensureAllClassesAreContainedInArchitecture();

    @ArchTest
    static final ArchRule the_core_knows_no_scheduler = noClasses()
            .that()
            .resideInAPackage(CORE)
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.quartz..");

    @ArchTest
    static final ArchRule only_the_command_line_knows_picocli = noClasses()
            .that()
            .resideOutsideOfPackage(CORE + ".cli..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("picocli..");

    @ArchTest
    static final ArchRule nothing_knows_timestamps_that_shift_with_the_zone_of_the_jvm =
            noClasses().should().dependOnClassesThat().belongToAnyOf(java.sql.Timestamp.class);

    @ArchTest
    static final ArchRule only_the_command_line_ends_the_jvm = noClasses()
            .that()
            .resideOutsideOfPackage(CORE + ".cli..")
            .should()
            .callMethod(System.class, "exit", int.class)
            .orShould()
            .callMethod(Runtime.class, "halt", int.class);

    @ArchTest
    static final ArchRule packages_form_no_cycle =
            slices().assignedFrom(new PackageOfOurs()).should().beFreeOfCycles();

    /** jOOQ's packages, which know each other, count as one. */
    private static final class PackageOfOurs implements SliceAssignment {
        @Override
        public SliceIdentifier getIdentifierOf(JavaClass type) {
            String name = type.getPackageName();
            return name.startsWith(CORE)
                    ? SliceIdentifier.of(name.startsWith(CORE + ".generated") ? CORE + ".generated" : name)
                    : SliceIdentifier.ignore();
        }

        @Override
        public String getDescription() {
            return "packages of ours";
        }
    }
}
