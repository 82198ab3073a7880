SELECT failed, unmoved_s FROM evaluation_health()
