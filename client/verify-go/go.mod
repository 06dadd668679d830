module vigil.dev/verify-go

go 1.19
