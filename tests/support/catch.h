// The one way tests include Catch2: v2 of Debian 12, or v3 where that is what the system has.
#ifndef VIGIL_TESTS_SUPPORT_CATCH_H_
#define VIGIL_TESTS_SUPPORT_CATCH_H_

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#endif  // VIGIL_TESTS_SUPPORT_CATCH_H_
